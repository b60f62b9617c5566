// The scrub bar: a slider over frames, marks, and the picture and time under the pointer.

import { Deck } from "./deck.js";
import { moment, number, plural } from "./format.js";

const THUMB_PIXELS = 18;
const MOST_MARKS = 400;

export class Bar {
  constructor(photos, onSeek) {
    Object.assign(this, { photos, onSeek });
    this.slider = document.getElementById("slider");
    this.marks = document.getElementById("marks");
    this.preview = document.getElementById("preview");
    this.previewTime = document.getElementById("preview-time");
    this.deck = new Deck({ ahead: 1, onSegment: (reel, index, buffer) => photos.take(reel.name, index, buffer).catch(() => {}) });
    document.getElementById("preview-picture").append(this.deck.video);
    this.isHeld = false;
    const bar = document.getElementById("bar");
    bar.addEventListener("pointermove", (event) => this.#hover(this.#frameUnder(event.clientX)));
    bar.addEventListener("pointerleave", () => this.#leave());
    this.slider.addEventListener("pointerdown", () => (this.isHeld = true));
    for (const type of ["pointerup", "pointercancel", "change"]) this.slider.addEventListener(type, () => (this.isHeld = false));
    this.slider.addEventListener("input", () => {
      this.#describe(this.slider.valueAsNumber);
      onSeek(this.slider.valueAsNumber);
    });
  }

  show(reel) {
    this.reel = reel;
    this.slider.max = String(reel.frameCount - 1);
    if (this.deck.reel && this.deck.reel.name !== reel.name) this.deck.close();
  }

  set(frame) {
    if (!this.isHeld) this.slider.value = String(frame);
    this.#describe(frame);
  }

  #describe(frame) {
    const time = this.photos.timeAt(frame);
    const text = `frame ${number(frame + 1)} of ${number(this.reel.frameCount)}`;
    this.slider.setAttribute("aria-valuetext", time ? `${moment(time.epochMs)}, ${text}` : text);
  }

  // `marks`: [{frame, kind, text}]
  mark(marks) {
    const last = Math.max(this.reel.frameCount - 1, 1);
    this.marks.replaceChildren(
      ...marks.slice(0, MOST_MARKS).map(({ frame, kind }) => {
        const span = document.createElement("span");
        span.className = kind;
        span.style.left = `${(100 * frame) / last}%`;
        return span;
      }),
    );
  }

  #frameUnder(clientX) {
    const { left, width } = this.slider.getBoundingClientRect();
    const share = (clientX - left - THUMB_PIXELS / 2) / (width - THUMB_PIXELS);
    return Math.round(Math.min(Math.max(share, 0), 1) * (this.reel.frameCount - 1));
  }

  #hover(frame) {
    if (!this.reel) return;
    this.hovered = frame;
    this.preview.hidden = false;
    const room = this.slider.getBoundingClientRect().width;
    const share = frame / Math.max(this.reel.frameCount - 1, 1);
    const left = share * (room - THUMB_PIXELS) + THUMB_PIXELS / 2 - this.preview.offsetWidth / 2;
    this.preview.style.left = `${Math.min(Math.max(left, 0), room - this.preview.offsetWidth)}px`;
    this.#tell(frame);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#picture(frame).catch(() => {}), 80); // a pointer that passes loads nothing
  }

  #tell(frame) {
    const time = this.photos.timeAt(frame);
    this.previewTime.textContent = time ? `${time.isExact ? "" : "about "}${moment(time.epochMs)}` : plural(frame + 1, "frame");
  }

  async #picture(frame) {
    const reel = this.reel;
    await this.photos.load(frame);
    if (this.hovered !== frame || this.preview.hidden) return;
    this.#tell(frame);
    if (this.deck.reel?.name === reel.name && frame < this.deck.reel.frameCount) await this.deck.seek(frame);
    else await this.deck.open(reel, frame, this.photos.delay ?? 0);
  }

  #leave() {
    clearTimeout(this.timer);
    this.hovered = null;
    this.preview.hidden = true;
  }

  close() {
    this.#leave();
    this.deck.close();
    this.reel = null;
  }
}
