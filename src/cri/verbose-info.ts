import * as z from 'zod';

/** `config` in the verbose Status: containerd's CRI configuration, or CRI-O's excerpt of its own, which has the sandbox image alone. */
export const runtimeConfigSchema = z.object({
  /** containerd before 2.0, and CRI-O. */
  sandboxImage: z.string().optional(),
  containerd: z.object({ snapshotter: z.string().optional() }).optional(),
});

/** `info` in the verbose PodSandboxStatus. CRI-O leaves the image out when the sandbox has no container of its own. */
export const sandboxInfoSchema = z.object({ image: z.string().optional() });

/** `info` in containerd's verbose ImageStatus. */
export const imageInfoSchema = z.object({
  imageSpec: z.object({ rootfs: z.object({ diff_ids: z.array(z.string()).nullish() }) }),
});

/** What a runtime tells in its own JSON, null when it does not, or in another form: the callers then do without. */
export function parseVerboseInfo<T>(schema: z.ZodType<T>, text: string | undefined): T | null {
  if (text === undefined) return null;
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null;
  } catch {
    return null;
  }
}
