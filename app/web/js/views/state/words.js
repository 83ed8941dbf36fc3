/** Numbers and times as people read them. */

const WHOLE = new Intl.NumberFormat("en");
const TENTHS = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** A number with at most one digit behind the point. */
export function tenths(number) {
  return TENTHS.format(number);
}

/** A share of one as a percentage; never 100% or 0% unless it is. */
export function percent(share) {
  const rounded = Math.round(share * 100);
  if (rounded === 100 && share < 1) return "99%";
  return rounded === 0 && share > 0 ? "1%" : `${rounded}%`;
}

/** Seconds, in thousandths of one where they are few. */
export function seconds(number) {
  return number < 1 ? `${WHOLE.format(Math.round(number * 1000))} ms` : `${TENTHS.format(number)} s`;
}

/** The time of day of Unix seconds. */
export function timeOf(at, { exactly = false } = {}) {
  const digits = { hour: "2-digit", minute: "2-digit", ...(exactly ? { second: "2-digit" } : {}) };
  return new Date(at * 1000).toLocaleTimeString([], digits);
}
