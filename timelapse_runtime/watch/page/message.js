// What the page says when something is wrong, and whether it should be said.

import { duration, moment } from "./format.js";

const LEAST_STALE_MS = 5 * 60_000;
const STALE_FACTOR = 10;

const place = document.getElementById("message");

export function say(text, isAlert = false) {
  if (place.textContent !== text) place.textContent = text; // a screen reader reads each change
  place.className = isAlert && text ? "alert" : "";
}

// `failure`: a Failure of source.js, or an Error with a `kind` of the player's. `what` could not be read.
export function explain(failure, what) {
  switch (failure.kind) {
    case "missing":
      return "There is nothing to see yet. The video appears here after the first photos; this page looks again by itself.";
    case "denied":
      return `This page may not read ${what} (403). S3 says the same of a video that has no photo yet; else check the bucket policy or your credentials.`;
    case "offline":
      return `No connection to read ${what}. This page tries again by itself.`;
    case "playback":
      return `The browser cannot play this video: ${failure.message}`;
    default:
      return `Reading ${what} failed: ${failure.message}. This page tries again by itself.`;
  }
}

// That the camera seems to have stopped, or null. `paceMs` is the usual time between two photos, or null.
export function silence(newestUploadedEpochMs, nowEpochMs, paceMs) {
  const age = nowEpochMs - newestUploadedEpochMs;
  if (age < Math.max(LEAST_STALE_MS, STALE_FACTOR * (paceMs ?? 0))) return null;
  return `No new photo for ${duration(age)}: the newest was uploaded ${moment(newestUploadedEpochMs)}. The camera or its uploads may have stopped.`;
}
