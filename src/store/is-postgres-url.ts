/** Whether a text is meant as the URL of a PostgreSQL, and not as a path. */
export function isPostgresUrl(text: string): boolean {
  return /^postgres(ql)?:\/\//i.test(text);
}
