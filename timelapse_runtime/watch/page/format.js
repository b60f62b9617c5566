// Times, lengths and numbers for people, in the viewer's language and time zone.

const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const short = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "short", year: "numeric", month: "short", day: "numeric", timeZone: "UTC" });
const numbers = new Intl.NumberFormat();

export const moment = (epochMs) => full.format(epochMs);
export const clock = (epochMs) => short.format(epochMs);
export const number = (value) => numbers.format(value);
export const plural = (count, word) => `${number(count)} ${word}${count === 1 ? "" : "s"}`;

export function dayOf(reelName) {
  const match = /^(\d{4}-\d{2}-\d{2})-(\d+)$/.exec(reelName);
  return match ? { day: day.format(new Date(`${match[1]}T00:00:00Z`)), number: Number(match[2]) } : { day: reelName, number: 0 };
}

export function duration(ms) {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return plural(seconds, "second");
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return plural(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return hours < 48 ? plural(hours, "hour") : plural(Math.round(hours / 24), "day");
}
