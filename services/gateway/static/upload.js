/** Shows how much of a file was sent. Without scripts the browser does it its own way. */
export function showProgress(form) {
  const box = form.querySelector("[data-progress]");
  const bar = box.querySelector("progress");
  const words = box.querySelector("[role=status]");

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const request = new XMLHttpRequest();
    request.upload.addEventListener("progress", ({ loaded, total }) => {
      bar.value = (100 * loaded) / total;
      words.textContent = loaded < total ? `${Math.floor(bar.value)}% sent` : "All sent. The rows are being read";
    });
    request.addEventListener("load", () => {
      if (request.status < 400) location.assign(request.responseURL);
      else words.textContent = "The file could not be used. Check that it is CSV or JSON lines, and send it again.";
    });
    request.addEventListener("error", () => {
      words.textContent = "The connection broke. What was sent is kept; send the same file again without harm.";
    });
    request.open("POST", form.action);
    request.send(new FormData(form));
    box.hidden = false;
  });
}
