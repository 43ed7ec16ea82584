/** Keeps `#live` current by server-sent events; where they do not come, asks for the page from time to time. */
import { patch } from "./patch.js";

const ASK_MS = 5_000;
const FAILURES_BEFORE_ASKING = 2;

export function keepCurrent(status) {
  const live = document.getElementById("live");
  const words = status.firstElementChild;
  const said = document.getElementById("said");
  const begun = statusOf(live);
  let stream;
  let failures = 0;
  let asking = 0;

  const say = (state, text) => {
    status.dataset.state = state;
    if (words.textContent !== text) words.textContent = text;
  };

  const show = (html) => {
    patch(live, html);
    if (statusOf(live) !== begun) said?.remove();
  };

  const open = () => {
    stream = new EventSource(status.dataset.stream);
    stream.addEventListener("open", () => {
      failures = 0;
      clearInterval(asking);
      asking = 0;
      say("live", "Live");
    });
    stream.addEventListener("message", (event) => show(JSON.parse(event.data)));
    stream.addEventListener("error", () => {
      failures += 1;
      if (asking || (failures < FAILURES_BEFORE_ASKING && stream.readyState !== EventSource.CLOSED)) return;
      asking = setInterval(ask, ASK_MS);
      ask();
    });
  };

  const ask = async () => {
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
      if (answer.redirected || !answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      show(page.getElementById("live").innerHTML);
      say("asking", `Connection lost, asking every ${ASK_MS / 1_000} seconds`);
    } catch {
      say("lost", "Not current: the server does not answer");
    }
    if (stream.readyState === EventSource.CLOSED) open();
  };

  open();
  addEventListener("pagehide", () => stream.close());
}

/** Where the campaign stood; what was said about it then is over when it stands elsewhere. */
function statusOf(live) {
  return live.querySelector("[data-status]")?.dataset.status;
}
