/**
 * What a runtime tells in JSON of its own, null when it does not, or in another form: the callers then do without. Read by hand and not with
 * zod: every command loads this, and a short one would take a tenth more time and memory for these few fields.
 */

/** `config` in the verbose Status: the sandbox image, as containerd before 2.0 has it in its CRI configuration, and CRI-O in an excerpt of its own. */
export function configuredSandboxImage(config: string | undefined): string | null {
  return asText(parseFields(config)?.['sandboxImage']);
}

/** `config` in the verbose Status of containerd. */
export function configuredSnapshotter(config: string | undefined): string | null {
  return asText(asFields(parseFields(config)?.['containerd'])?.['snapshotter']);
}

/** `info` in the verbose PodSandboxStatus. CRI-O leaves the image out when the sandbox has no container of its own. */
export function sandboxImage(info: string | undefined): string | null {
  return asText(parseFields(info)?.['image']);
}

/** `info` in containerd's verbose ImageStatus; an image without layers has an empty list or none. */
export function imageDiffIds(info: string | undefined): readonly string[] | null {
  const rootfs = asFields(asFields(parseFields(info)?.['imageSpec'])?.['rootfs']);
  if (rootfs === null) return null;
  const diffIds: unknown = rootfs['diff_ids'] ?? [];
  return Array.isArray(diffIds) && diffIds.every((diffId) => typeof diffId === 'string') ? diffIds : null;
}

type Fields = Readonly<Record<string, unknown>>;

function parseFields(text: string | undefined): Fields | null {
  if (text === undefined) return null;
  try {
    return asFields(JSON.parse(text));
  } catch {
    return null;
  }
}

function asFields(value: unknown): Fields | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : null;
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
