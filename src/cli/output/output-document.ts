export type OutputDocument = Readonly<Record<string, unknown>> | readonly unknown[];

export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}
