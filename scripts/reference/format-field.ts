import type { FieldSchema } from './field-rows.ts';

/** The type of a field, for people: `list of text (1 to 10 characters)`, `one of a, b`. */
export function formatType(field: FieldSchema): string {
  const { minimum, maximum, minLength, maxLength, items } = field;
  if (items !== undefined) return `list of ${formatType(items)}`;
  const limit = formatRange(minimum, maximum) ?? formatRange(minLength, maxLength, ' characters');
  return limit === null ? formatKind(field) : `${formatKind(field)} (${limit})`;
}

function formatKind({ type, format, enum: words, additionalProperties }: FieldSchema): string {
  if (words !== undefined) return `${words.length === 1 ? '' : 'one of '}${words.map((word) => `\`${String(word)}\``).join(', ')}`;
  if (typeof additionalProperties === 'object') return `mapping to ${formatType(additionalProperties)}`;
  switch (format ?? type) {
    case 'duration':
      return 'duration';
    case 'quantity':
      return 'quantity';
    case 'count-or-share':
    case 'count-or-share-from-none':
      return 'whole number or percentage';
    case 'date-time':
      return 'time';
    case 'int64':
    case 'integer':
      return 'whole number';
    case 'number':
      return 'number';
    case 'boolean':
      return '`true` or `false`';
    case 'string':
      return 'text';
    case 'object':
      return 'mapping';
    case undefined:
      return 'any';
    default:
      throw new Error(`no name for the type ${format ?? type ?? ''}`);
  }
}

/** zod gives whole numbers the bounds that JavaScript has. */
function formatRange(least: number | undefined, most: number | undefined, unit = ''): string | null {
  const isBound = (bound: number | undefined): bound is number => bound !== undefined && Math.abs(bound) !== Number.MAX_SAFE_INTEGER;
  if (isBound(least) && isBound(most)) return `${least} to ${most}${unit}`;
  if (isBound(least)) return `${least}${unit} or more`;
  return isBound(most) ? `at most ${most}${unit}` : null;
}

/** The default of a field, as one would write it. */
export function formatDefault({ byDefault: value, format }: FieldSchema): string {
  if (value === null || value === '') return 'none';
  if (typeof value === 'number' && format === 'duration') return `\`${formatHours(value)}\``;
  if (typeof value === 'number' && format === 'quantity') return `\`${formatAmount(value)}\``;
  if (Array.isArray(value)) return `\`[${value.map(String).join(', ')}]\``;
  return `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
}

/** With hours as the largest unit, as Go has it. */
function formatHours(ms: number): string {
  return ms > 0 && ms % 3_600_000 === 0 ? `${ms / 3_600_000}h` : `${ms / 1_000}s`;
}

const GiB = 1024 ** 3;
const MiB = 1024 ** 2;

/** Memory in Gi or Mi; processors, of which there are few, in thousandths where need be. */
function formatAmount(amount: number): string {
  if (amount >= GiB && amount % GiB === 0) return `${amount / GiB}Gi`;
  if (amount >= MiB) return `${amount / MiB}Mi`;
  return Number.isInteger(amount) ? String(amount) : `${Math.round(amount * 1_000)}m`;
}
