// What is missing in a reel: gaps, rejected photos, ignored objects; as marks on the bar and as a list.

import { clock, duration, moment, number, plural } from "./format.js";

const MOST_LISTED = 100;
const WAIT_MS = 300;

export class Findings {
  constructor(photos, bar, onSeek) {
    Object.assign(this, { photos, bar, onSeek });
    this.element = document.getElementById("findings");
    this.title = document.getElementById("findings-title");
    this.list = document.getElementById("finding-list");
  }

  // The reel is another version or another reel, or photos of more of its frames are known.
  show(reel) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#draw(reel), WAIT_MS);
  }

  hide() {
    clearTimeout(this.timer);
    this.element.hidden = true;
  }

  #draw(reel) {
    const gaps = this.photos.gaps().map(describeGap);
    const leftOut = reel.leftOut.map((note) => describeLeftOut(note, reel.frameCount - 1));
    const found = [...gaps, ...leftOut].sort((one, other) => one.frame - other.frame);
    this.bar.mark(found);
    this.element.hidden = found.length === 0;
    this.title.textContent = this.#summary(found);
    this.list.replaceChildren(...found.slice(0, MOST_LISTED).map((one) => this.#item(one)));
    if (found.length > MOST_LISTED) {
      this.list.appendChild(document.createElement("li")).textContent = `and ${number(found.length - MOST_LISTED)} more`;
    }
  }

  #summary(found) {
    const count = (kind) => found.reduce((sum, one) => sum + (one.kind === kind ? one.count : 0), 0);
    const words = { gap: "gap", rejected: "rejected photo", ignored: "ignored object" };
    const parts = Object.entries(words).map(([kind, word]) => [count(kind), word]);
    return parts.filter(([sum]) => sum).map(([sum, word]) => plural(sum, word)).join(", ");
  }

  #item({ frame, kind, text }) {
    const item = document.createElement("li");
    const button = item.appendChild(document.createElement("button"));
    Object.assign(button, { type: "button", textContent: text, className: kind });
    button.addEventListener("click", () => this.onSeek(frame));
    return item;
  }
}

function describeGap({ frame, fromEpochMs, toEpochMs }) {
  return { frame, kind: "gap", count: 1, text: `${moment(fromEpochMs)}: no photo for ${duration(toEpochMs - fromEpochMs)}` };
}

// A note of `model/left_out.py`. The frame that would come next may not be there yet.
function describeLeftOut(note, lastFrame) {
  const { kind, reason, count, key } = note;
  const [first, last] = [note.first_epoch_ms, note.last_epoch_ms];
  const until = last > first ? `–${clock(last)}` : "";
  const text = kind === "rejected" ? `${key} was rejected (${reason})` : `${plural(count, "object")} ${count === 1 ? "was" : "were"} ignored (${reason})`;
  return { frame: Math.min(note.frame, lastFrame), kind, count, text: `${moment(first)}${until}: ${text}` };
}
