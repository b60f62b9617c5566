// Buttons and keys, and what they do.

const SKIP_SECONDS = 5;

const by = (id) => document.getElementById(id);

export class Controls {
  // `isReady()`: a reel is there. latest(), showPhoto(), hidePhoto().
  constructor(stage, { isReady, latest, showPhoto, hidePhoto }) {
    Object.assign(this, { stage, isReady });
    this.rate = by("rate");
    this.rate.addEventListener("change", () => stage.setRate(Number(this.rate.value)));
    const clicks = {
      play: () => this.#toggle(),
      back: () => this.#step(-1),
      forward: () => this.#step(1),
      latest,
      stage: showPhoto,
      "show-photo": showPhoto,
      full: fullScreen,
    };
    for (const [id, action] of Object.entries(clicks)) by(id).addEventListener("click", action);
    this.keys = {
      " ": () => this.#toggle(),
      k: () => this.#toggle(),
      ArrowLeft: () => stage.skip(-SKIP_SECONDS),
      ArrowRight: () => stage.skip(SKIP_SECONDS),
      ",": () => this.#step(-1),
      ".": () => this.#step(1),
      Home: () => stage.seek(0),
      End: () => stage.seek(Infinity),
      "-": () => this.#faster(-1),
      "+": () => this.#faster(1),
      l: latest,
      p: showPhoto,
      f: fullScreen,
      Escape: hidePhoto,
    };
    addEventListener("keydown", (event) => this.#press(event));
  }

  #press(event) {
    const isControl = event.target.closest?.("button, select, input, a, summary");
    const isPlain = !event.ctrlKey && !event.metaKey && !event.altKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const isTaken = isControl && (key.length > 1 || key === " ") && key !== "Escape"; // the control's own keys
    if (!this.isReady() || !isPlain || isTaken || !(key in this.keys)) return;
    event.preventDefault();
    this.keys[key]();
  }

  #toggle() {
    if (this.stage.wantsToPlay) this.stage.pause();
    else this.stage.play();
  }

  #step(frames) {
    this.stage.pause();
    this.stage.seek(this.stage.frame + frames);
  }

  #faster(steps) {
    this.rate.selectedIndex = Math.min(Math.max(this.rate.selectedIndex + steps, 0), this.rate.options.length - 1);
    this.stage.setRate(Number(this.rate.value));
  }
}

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else by("stage").requestFullscreen?.().catch(() => {});
}
