/** One deliberate break of a safety rule: `find` occurs exactly once in `file`; with `replace` in its place, a test must fail. */
export interface Break {
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Which tests to run, as a path below the project (fast ones: the whole suite passes before). */
  readonly tests: string;
}

export const BREAKS: readonly Break[] = [
  {
    rule: 'rule 1: an image in use stays',
    file: 'src/core/rules.ts',
    find: "return users === undefined ? null : keep({ code: 'in-use', users });",
    replace: 'return users === undefined ? null : null;',
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'rule 1: stopped and created containers count',
    file: 'src/core/image-use.ts',
    find: 'for (const container of containers) {',
    replace: "for (const container of containers.filter(({ state }) => state === 'running')) {",
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'rule 1: images mounted as volumes count',
    file: 'src/core/image-use.ts',
    find: "for (const id of mounted) add(id, containerUser('volume', container));",
    replace: '',
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'rule 1: the repository of an unresolved container stays',
    file: 'src/core/image-use.ts',
    find: "for (const id of siblings) add(id, containerUser('unresolved-container', container));",
    replace: '',
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'rule 1, again before each removal',
    file: 'src/core/guard-removal.ts',
    find: "if (ruling?.outcome === 'keep') return ruling.reason;",
    replace: '',
    tests: 'src/engine',
  },
  {
    rule: 'rule 1, with the containers as they are then',
    file: 'src/engine/remove-images.ts',
    find: 'const containers = await runtime.listContainers(signal);',
    replace: 'const { containers } = facts.input.inventory;',
    tests: 'src/engine',
  },
  {
    rule: 'rule 2: a pinned image stays',
    file: 'src/core/sandbox-image.ts',
    find: "if (image.pinned) return { code: 'pinned', by: 'runtime' };",
    replace: '',
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'rule 2: the sandbox image stays',
    file: 'src/core/sandbox-image.ts',
    find: "if (sandboxImages.ids.has(image.id)) return { code: 'pinned', by: 'sandbox-image' };",
    replace: '',
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'rule 2: what may be the sandbox image stays where it cannot be told',
    file: 'src/core/sandbox-image.ts',
    find: "return maybe ? { code: 'pinned', by: 'maybe-sandbox-image' } : null;",
    replace: 'return maybe ? null : null;',
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'rule 3: an excluded image stays',
    file: 'src/core/rules.ts',
    find: "return match === null ? null : keep({ code: 'excluded', list: match.list, entry: match.entry });",
    replace: 'return match === null ? null : null;',
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'rule 9: an image without a verdict stays',
    file: 'src/core/rules.ts',
    find: "if (result.kind === 'unscanned') return keep({ code: 'unscanned', why: result.reason, message: result.message });",
    replace: "if (result.kind === 'unscanned') return remove({ code: 'unscannable', error: result.message });",
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'a report for another image is no verdict',
    file: 'src/core/rules.ts',
    find: "if (result.kind !== 'scanned' || sameImageId(result.report.imageId, image.id)) return result;",
    replace: "if (result.kind !== 'never') return result;",
    tests: 'src/core/plan-removal',
  },
  {
    rule: 'a fault of the scanner ends the run',
    file: 'src/engine/scan-images.ts',
    find: 'signal.throwIfAborted();\n  return results;',
    replace: 'return results;',
    tests: 'src/engine',
  },
  {
    rule: 'unscannable only when the content is complete',
    file: 'src/engine/scan-images.ts',
    find: '(await runtime.isContentComplete(image.id, signal)) !== true',
    replace: '(await runtime.isContentComplete(image.id, signal)) === undefined',
    tests: 'src/engine',
  },
  {
    rule: 'a removal counts only when the runtime no longer has the image',
    file: 'src/engine/remove-images.ts',
    find: 'if (left === null) return',
    replace: 'return',
    tests: 'src/engine',
  },
  {
    rule: 'a report for another image is not accepted from Trivy',
    file: 'src/scan/trivy-scanner.ts',
    find: "attempt.kind === 'scanned' && !isSameImage(attempt.report.imageId, image.imageId)",
    replace: "attempt.kind === 'scanned' && attempt.report.imageId === ''",
    tests: 'src/scan/trivy-scanner',
  },
  {
    rule: 'a failure of Trivy that is not recognised proves nothing about the image',
    file: 'src/scan/classify-trivy-failure.ts',
    find: "const [, failure = unscanned('scan-failed')] =",
    replace: 'const [, failure = unparsable] =',
    tests: 'src/scan/classify-trivy-failure',
  },
  {
    rule: 'a list of containers is whole or rejected',
    file: 'src/cri/container-lister.ts',
    find: 'const fresh = containers.filter(({ id }) => !known.volumes.has(id));',
    replace: 'const fresh = lists > 0 ? [] : containers;',
    tests: 'src/cri/cri-runtime',
  },
  {
    rule: 'a removal is not repeated without its guards',
    file: 'src/cri/cri-runtime.ts',
    find: "callOnce('RemoveImage'",
    replace: "call('RemoveImage'",
    tests: 'src/cri',
  },
  {
    rule: 'rule 2, again before each removal, with the sandbox image as it is then',
    file: 'src/core/plan-facts.ts',
    find: 'sandboxImages: resolveSandboxImages(index, sandboxImageReferences),',
    replace: 'sandboxImages: facts.sandboxImages,',
    tests: 'src/engine/remove-images',
  },
  {
    rule: 'a failure under a name that has moved proves nothing about the image',
    file: 'src/engine/scan-images.ts',
    find: 'return now !== null && [...now.repoTags, ...now.repoDigests].includes(name);',
    replace: 'return now !== null || name === imageId;',
    tests: 'src/engine/scan-images',
  },
  {
    rule: 'rule 1: containers made beside CRI count',
    file: 'src/cri/container-lister.ts',
    find: 'return [...mapContainers(containers, known), ...others];',
    replace: 'return mapContainers(containers, known);',
    tests: 'src/cri/cri-runtime',
  },
];
