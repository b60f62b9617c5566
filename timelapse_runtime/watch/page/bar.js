// The scrub bar: a slider over frames, marks, and the picture and time under the pointer.

import { Deck } from "./deck.js";
import { moment, number, plural } from "./format.js";
import { canDecodeKeyframes, draw, readKeyframe } from "./keyframe.js";

const THUMB_PIXELS = 18;
const MOST_MARKS = 400;

export class Bar {
  constructor(photos, onSeek) {
    Object.assign(this, { photos, onSeek });
    this.slider = document.getElementById("slider");
    this.marks = document.getElementById("marks");
    this.preview = document.getElementById("preview");
    this.previewTime = document.getElementById("preview-time");
    this.deck = new Deck(photos, { ahead: 1 });
    this.canvas = document.createElement("canvas");
    document.getElementById("preview-picture").append(this.canvas, this.deck.video);
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
    if (this.deck.reel && this.deck.reel.map.url !== reel.map.url) this.deck.close();
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

  // The frame itself where its segment was read before, else the first one of its segment, which costs few bytes.
  async #picture(frame) {
    const reel = this.reel;
    const index = reel.segmentAt(frame);
    const isWanted = () => this.reel === reel && this.hovered === frame;
    if (canDecodeKeyframes && !this.photos.isCached(index)) {
      await this.photos.loadInit();
      const { picture, head } = await readKeyframe(this.photos.init, reel.segments[index]);
      if (isWanted()) this.#draw(picture);
      picture.close();
      await this.photos.take(reel.name, index, head, true);
      if (isWanted()) this.#tell(frame);
      return;
    }
    await this.photos.load(frame);
    if (!isWanted()) return;
    this.#tell(frame);
    if (this.deck.reel?.name === reel.name && frame < this.deck.reel.frameCount) await this.deck.seek(frame);
    else await this.deck.open(reel, frame);
    if (isWanted()) [this.canvas.hidden, this.deck.video.hidden] = [true, false];
  }

  #draw(picture) {
    draw(this.canvas, picture, picture.displayWidth, picture.displayHeight);
    [this.canvas.hidden, this.deck.video.hidden] = [false, true];
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
