/** Whether names fit: a pattern with `*` or `?` for the whole name or what follows a slash in it, else any part of it. */
export function namePattern(pattern: string): (name: string) => boolean {
  if (!/[*?]/.test(pattern)) return (name) => name.includes(pattern);
  const body = pattern
    .replace(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  const whole = new RegExp(`^(?:.*/)?${body}$`, "s");
  return (name) => whole.test(name);
}
