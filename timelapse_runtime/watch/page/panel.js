// The photo behind a frame: what is known of it, and the photo itself where the page can have it.

import { moment, number } from "./format.js";
import { ADOPTED } from "./provenance.js";

const ROLES = {
  1: "a repeat, in place of a photo that was rejected",
  2: "later than its place in order",
  [ADOPTED]: "of a video that was adopted",
};
const NO_PICTURE = " It cannot be shown here: it was deleted or written over, or its format is not one of the browser's.";

export class PhotoPanel {
  // onClose(): the viewer closed it.
  constructor(onClose) {
    this.element = document.getElementById("photo");
    this.facts = document.getElementById("photo-facts");
    this.link = document.getElementById("photo-link");
    this.frame = null;
    document.getElementById("photo-close").addEventListener("click", () => {
      this.hide();
      onClose();
    });
  }

  // `place` is what comes before the photo's key, or empty; `url` is null if the photo cannot be had here.
  show(frame, photo, place, url) {
    const isAdopted = photo.role === ADOPTED;
    const rows = [
      isAdopted ? ["From", photo.key] : ["Key", `${place}${photo.key}`],
      [photo.isTaken || isAdopted ? "Taken" : "Taken (not known: uploaded)", moment(photo.capturedEpochMs)],
      ["Uploaded", isAdopted ? "" : moment(photo.uploadedEpochMs)],
      ["ETag", photo.etag.replaceAll('"', "")],
      ["Frame", `${number(frame + 1)}${ROLES[photo.role] ? `; ${ROLES[photo.role]}` : ""}`],
    ];
    this.facts.replaceChildren(...rows.filter(([, value]) => value).flatMap(([name, value]) => [text("dt", name), text("dd", value)]));
    this.facts.dataset.key = photo.key;
    this.link.replaceChildren(...(url && !isAdopted ? picture(url, photo.key) : []));
    this.frame = frame;
    this.element.hidden = false;
    this.element.focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }

  // Another frame is on the screen.
  leave(frame) {
    if (this.frame !== frame) this.hide();
  }

  hide() {
    this.frame = null;
    this.element.hidden = true;
  }
}

function text(name, content) {
  const element = document.createElement(name);
  element.textContent = content;
  return element;
}

function picture(url, key) {
  const anchor = Object.assign(document.createElement("a"), { href: url, target: "_blank", rel: "noopener", textContent: "Open the photo" });
  const image = Object.assign(document.createElement("img"), { src: url, alt: `The photo ${key}` });
  image.addEventListener("error", () => image.replaceWith(NO_PICTURE));
  return [anchor, image];
}
