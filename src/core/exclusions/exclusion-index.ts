import { compileComponents, hasWildcard, plainBeginning, type Glob } from './exclusion-glob.ts';
import type { ExclusionPattern } from './exclusion-pattern.ts';
import type { RepositoryPattern } from './exclusion-repository.ts';
import { matchesVersion, type VersionPattern } from './exclusion-tag.ts';
import { effectiveTag, type ImageNames } from '../names.ts';
import { imageIdKey, repositoryName, type ImageReference } from '../reference.ts';

/** A pattern that takes more than a look-up. `order` is its place among all the entries. */
interface Rule {
  readonly order: number;
  /** null: whoever finds the rule has looked it up by the whole of its repository pattern. */
  readonly repository: Glob<readonly string[]> | null;
  readonly version: VersionPattern;
}

/** The patterns of one repository, each with its order. */
interface RepositoryPatterns {
  readonly tags: Map<string, number>;
  readonly digests: Map<string, number>;
  /** All else, in order. */
  readonly rules: Rule[];
}

/**
 * Patterns, arranged so that an image meets few of them: ids, digests, repositories and their tags are looked up in maps, prefixes by each
 * prefix of a name, and globs by their last component or what it begins with, or by their first. In each list the rules are in order.
 */
export class ExclusionIndex {
  readonly #byDigest = new Map<string, number>();
  readonly #byRepository = new Map<string, RepositoryPatterns>();
  readonly #byPrefix = new Map<string, Rule[]>();
  readonly #byLastComponent = new Map<string, Rule[]>();
  /** By what the last component begins with. */
  readonly #byBeginning = new Map<string, Rule[]>();
  /** The lengths of those beginnings, each once. */
  readonly #beginningLengths = new Set<number>();
  readonly #byRegistry = new Map<string, Rule[]>();
  readonly #others: Rule[] = [];
  readonly #byEntry = new Map<string, number>();
  #everything = Infinity;

  /** `order` must grow from call to call. */
  add(entry: string, pattern: ExclusionPattern, order: number): void {
    addFirst(this.#byEntry, entry, order);
    switch (pattern.kind) {
      case 'everything':
        this.#everything = Math.min(this.#everything, order);
        return;
      case 'digest':
        addFirst(this.#byDigest, pattern.digest, order);
        // As an image id it may be written without `sha256:`; digests of other algorithms are none and have no such form.
        addFirst(this.#byDigest, imageIdKey(pattern.digest), order);
        return;
      case 'repository':
        this.#addRepository(pattern.repository, { order, repository: null, version: pattern.version });
    }
  }

  #addRepository(repository: RepositoryPattern, rule: Rule): void {
    switch (repository.kind) {
      case 'exact':
        this.#addExact(repository.name, rule);
        return;
      case 'below':
        addTo(this.#byPrefix, repository.prefix, rule);
        return;
      case 'every':
        this.#others.push(rule);
        return;
      case 'glob':
        this.#addGlob(repository.components, { ...rule, repository: compileComponents(repository.components) });
    }
  }

  #addExact(name: string, rule: Rule): void {
    let patterns = this.#byRepository.get(name);
    if (patterns === undefined) {
      patterns = { tags: new Map(), digests: new Map(), rules: [] };
      this.#byRepository.set(name, patterns);
    }
    if (rule.version.kind === 'tag') addFirst(patterns.tags, rule.version.tag, rule.order);
    else if (rule.version.kind === 'digest') addFirst(patterns.digests, rule.version.digest, rule.order);
    else patterns.rules.push(rule);
  }

  #addGlob(components: readonly string[], rule: Rule): void {
    const first = components[0] ?? '';
    const last = components.at(-1) ?? '';
    const beginning = plainBeginning(last);
    if (beginning === last) addTo(this.#byLastComponent, last, rule);
    else if (beginning !== '') {
      addTo(this.#byBeginning, beginning, rule);
      this.#beginningLengths.add(beginning.length);
    } else if (!hasWildcard(first)) addTo(this.#byRegistry, first, rule);
    else this.#others.push(rule);
  }

  /** The order of the first pattern that matches any of the names; Infinity: none does. */
  first(names: ImageNames): number {
    let best = this.#everything;
    if (this.#byDigest.size > 0) best = firstKey(this.#byDigest, names.digests, Math.min(best, orderOf(this.#byDigest, names.id)));
    if (names.literals.length > 0) best = firstKey(this.#byEntry, names.literals, best);
    for (const repository of names.repositories) best = this.#firstOfRepository(new Subject(repository, names), best);
    return best;
  }

  #firstOfRepository(subject: Subject, before: number): number {
    const { name } = subject;
    let best = firstPattern(this.#byRepository.get(name), subject, before);
    if (this.#byPrefix.size > 0) {
      for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
        best = firstRule(this.#byPrefix.get(name.slice(0, slash)), subject, best);
      }
    }
    best = this.#firstByLastComponent(subject, best);
    if (this.#byRegistry.size > 0) best = firstRule(this.#byRegistry.get(name.slice(0, name.indexOf('/'))), subject, best);
    return firstRule(this.#others, subject, best);
  }

  #firstByLastComponent(subject: Subject, before: number): number {
    if (this.#byLastComponent.size === 0 && this.#byBeginning.size === 0) return before;
    const last = subject.name.slice(subject.name.lastIndexOf('/') + 1);
    let best = firstRule(this.#byLastComponent.get(last), subject, before);
    for (const length of this.#beginningLengths) {
      if (length <= last.length) best = firstRule(this.#byBeginning.get(last.slice(0, length)), subject, best);
    }
    return best;
  }
}

/** One repository that an image has names in, with those names. */
class Subject {
  readonly name: string;
  readonly references: readonly ImageReference[];
  #components: readonly string[] | null = null;

  constructor(name: string, { repositories, references }: ImageNames) {
    this.name = name;
    this.references = repositories.length === 1 ? references : references.filter((reference) => repositoryName(reference) === name);
  }

  get components(): readonly string[] {
    return (this.#components ??= this.name.split('/'));
  }
}

function firstPattern(patterns: RepositoryPatterns | undefined, subject: Subject, before: number): number {
  if (patterns === undefined) return before;
  let best = firstRule(patterns.rules, subject, before);
  for (const reference of subject.references) {
    const tag = effectiveTag(reference);
    if (tag !== null) best = Math.min(best, orderOf(patterns.tags, tag));
    if (reference.digest !== null) best = Math.min(best, orderOf(patterns.digests, reference.digest));
  }
  return best;
}

function firstRule(rules: readonly Rule[] | undefined, subject: Subject, before: number): number {
  if (rules === undefined) return before;
  for (const rule of rules) {
    if (rule.order >= before) return before;
    if (rule.repository !== null && !rule.repository(subject.components)) continue;
    if (matchesAnyVersion(rule.version, subject.references)) return rule.order;
  }
  return before;
}

/** A loop of its own: a function made for each image and rule is what a plan would spend most of its memory on. */
function matchesAnyVersion(version: VersionPattern, references: readonly ImageReference[]): boolean {
  for (const reference of references) if (matchesVersion(version, reference)) return true;
  return false;
}

function firstKey(orders: ReadonlyMap<string, number>, keys: readonly string[], before: number): number {
  let best = before;
  for (const key of keys) best = Math.min(best, orderOf(orders, key));
  return best;
}

function orderOf(orders: ReadonlyMap<string, number>, key: string): number {
  return orders.get(key) ?? Infinity;
}

function addFirst(orders: Map<string, number>, key: string, order: number): void {
  if (!orders.has(key)) orders.set(key, order);
}

function addTo(rules: Map<string, Rule[]>, key: string, rule: Rule): void {
  const list = rules.get(key);
  if (list === undefined) rules.set(key, [rule]);
  else list.push(rule);
}
