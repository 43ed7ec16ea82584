/** What every page does with scripts on. Without them all pages read and all forms work. */
import { keepCurrent } from "./live.js";
import { follow } from "./form.js";
import { showProgress } from "./upload.js";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const known = document.cookie.split("; ").find((one) => one.startsWith("zone="));
if (zone && known !== `zone=${encodeURIComponent(zone)}`) {
  document.cookie = `zone=${encodeURIComponent(zone)}; path=/notification; max-age=31536000; samesite=lax`;
}

document.querySelectorAll("[data-stream]").forEach(keepCurrent);
document.querySelectorAll("form[data-follow]").forEach(follow);
document.querySelectorAll("form[data-upload]").forEach(showProgress);
