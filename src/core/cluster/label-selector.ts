/** One condition of a label selector. */
export type LabelRequirement =
  | { readonly kind: 'exists' | 'absent'; readonly key: string }
  /** `=`, `==` and `in`; `!=` and `notin`, which hold of an object without the label too. */
  | { readonly kind: 'in' | 'not-in'; readonly key: string; readonly values: readonly string[] }
  | { readonly kind: 'greater' | 'less'; readonly key: string; readonly than: bigint };

/** All of its requirements must hold. */
export interface LabelSelector {
  /** As it was written. */
  readonly text: string;
  readonly requirements: readonly LabelRequirement[];
}

export type Labels = Readonly<Record<string, string>>;

export function matchesLabels({ requirements }: LabelSelector, labels: Labels): boolean {
  return requirements.every((requirement) => isMet(requirement, labels));
}

function isMet(requirement: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined;
  switch (requirement.kind) {
    case 'exists':
      return value !== undefined;
    case 'absent':
      return value === undefined;
    case 'in':
      return value !== undefined && requirement.values.includes(value);
    case 'not-in':
      return value === undefined || !requirement.values.includes(value);
    case 'greater':
    case 'less': {
      const number = value === undefined ? null : parseLabelNumber(value);
      if (number === null) return false;
      return requirement.kind === 'greater' ? number > requirement.than : number < requirement.than;
    }
  }
}

const LEAST = -(2n ** 63n);
const MOST = 2n ** 63n - 1n;

/** A whole number of 64 bits, as Kubernetes compares labels; null: it is none. */
export function parseLabelNumber(text: string): bigint | null {
  if (!/^[+-]?[0-9]{1,40}$/.test(text)) return null;
  const number = BigInt(text.replace(/^\+/, ''));
  return number < LEAST || number > MOST ? null : number;
}
