/** A form whose result is shown as it is filled in: `data-follow` names the element that the answer's part replaces. */
import { patch } from "./patch.js";

const QUIET_MS = 350;

export function follow(form) {
  const target = document.getElementById(form.dataset.follow);
  let timer = 0;
  let current = null;

  const refresh = async (submitter) => {
    current?.abort();
    current = new AbortController();
    const body = new URLSearchParams(new FormData(form, submitter));
    target.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(form.dataset.part, { method: "POST", body, signal: current.signal });
      if (answer.ok) patch(target, await answer.text());
    } catch (error) {
      if (error.name !== "AbortError") target.dataset.state = "lost";
      return;
    }
    target.removeAttribute("aria-busy");
  };

  form.addEventListener("input", () => {
    current?.abort(); // its answer would undo what is typed now
    clearTimeout(timer);
    timer = setTimeout(refresh, QUIET_MS);
  });
  form.addEventListener("submit", (event) => {
    if (!event.submitter?.hasAttribute("data-stay")) return;
    event.preventDefault();
    clearTimeout(timer);
    refresh(event.submitter);
  });
}
