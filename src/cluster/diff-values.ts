/** A value of an object that another has in its place. undefined: there is none. */
export interface ValueChange {
  /** `spec.template.spec.containers[manager].image`. */
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
}

/** What differs between two JSON values, by the path of the innermost value. Members of lists with names are told apart by these. */
export function diffValues(from: unknown, to: unknown, path = ''): ValueChange[] {
  if (isRecord(from) && isRecord(to)) {
    const keys = [...new Set([...Object.keys(from), ...Object.keys(to)])];
    return keys.flatMap((key) => diffValues(from[key], to[key], joined(path, key)));
  }
  if (isNamedList(from) && isNamedList(to)) {
    const names = [...new Set([...from, ...to].map(({ name }) => name))];
    const named = (list: readonly Named[], name: string): unknown => list.find((member) => member.name === name);
    return names.flatMap((name) => diffValues(named(from, name), named(to, name), `${path}[${name}]`));
  }
  return JSON.stringify(from) === JSON.stringify(to) ? [] : [{ path, from, to }];
}

type Named = { readonly name: string } & Readonly<Record<string, unknown>>;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNamedList(value: unknown): value is readonly Named[] {
  if (!Array.isArray(value)) return false;
  const names = value.map((member: unknown) => (isRecord(member) ? member['name'] : undefined));
  return names.every((name) => typeof name === 'string') && new Set(names).size === names.length;
}

function joined(path: string, key: string): string {
  const shown = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
  return path === '' ? shown : `${path}.${shown}`;
}

const LONGEST_SHOWN = 120;

/** `spec.replicas: 2 -> 1`. */
export function formatChange({ path, from, to }: ValueChange): string {
  const show = (value: unknown): string => {
    const text = value === undefined ? '(none)' : typeof value === 'string' ? value : JSON.stringify(value);
    const line = text.replaceAll(/\s*\n\s*/g, ' ').trim();
    return line.length > LONGEST_SHOWN ? `${line.slice(0, LONGEST_SHOWN)}…` : line;
  };
  return `${path}: ${show(from)} -> ${show(to)}`;
}
