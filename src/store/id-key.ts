/** An image id without `sha256:`: containerd writes ids with it, CRI-O without, scanners with. */
export function idKey(imageId: string): string {
  return imageId.startsWith('sha256:') ? imageId.slice('sha256:'.length) : imageId;
}
