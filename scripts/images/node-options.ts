/** The environment of the images' programs; that in `deploy/image/Dockerfile` says the same. */
export const IMAGE_ENVIRONMENT = {
  PATH: '/usr/bin',
  // Each arena of glibc's allocator keeps what was freed in it, and by default there are eight for each processor; the end of it goes back to the
  // kernel once it is as large as this, which by default grows with what was freed.
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '65536',
} as const;

/** What Node is told for a program of the images, in the first line of its bundle, where Linux leaves room for one option. */
export function nodeOptionsOf(program: string): readonly [] | readonly [string] {
  // It has little to remember, and makes garbage of all that the API server tells it: else V8 lets hundreds of megabytes of that lie.
  return program === 'controller' ? ['--optimize-for-size'] : [];
}
