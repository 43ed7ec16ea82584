/** Sends a file of any length to the API, and shows how much of it is there. Without scripts the browser sends the form
 * its own way. */
const TYPES = { csv: "text/csv", jsonl: "application/x-ndjson", ndjson: "application/x-ndjson" };

export function showProgress(form) {
  const box = form.querySelector("[data-progress]");
  const bar = box.querySelector("progress");
  const words = box.querySelector("[role=status]");
  const refused = form.querySelector("[data-refused]");
  const refuse = (text) => {
    refused.textContent = text;
    refused.hidden = false;
    box.hidden = true;
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = (100 * loaded) / total;
      words.textContent = loaded < total ? `${Math.floor(bar.value)}% sent` : "All sent. The rows are being read";
    });
    request.addEventListener("load", () => {
      const answer = JSON.parse(request.responseText);
      if (request.status < 400) location.assign(`/notification/customers/imports/${answer.data.importId}`);
      else refuse(`${answer.title}${answer.detail ? `: ${answer.detail}` : ""}`);
    });
    request.addEventListener("error", () => {
      refuse("The connection broke. What was sent is kept; send the same file again without harm.");
    });
    const file = form.elements.file.files[0];
    request.open("POST", "/api/notification/customers/import");
    request.setRequestHeader("content-type", TYPES[file.name.split(".").pop().toLowerCase()] ?? TYPES.csv);
    request.setRequestHeader("x-csrf-token", form.elements.csrfToken.value);
    request.send(file);
    refused.hidden = true;
    box.hidden = false;
  });
}
