import { lstat, readFile, readdir, readlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { FileContent } from '../../lab/build-image.ts';
import { MULTIARCH, ensureNewestPackages } from '../../lab/debian-packages.ts';
import { LabError } from '../../lab/lab-error.ts';
import { NOBODY } from './image-config.ts';
import type { PartFiles, PartInput } from './image-parts.ts';
import { nodeBinary } from './node-files.ts';
import { readElf } from './read-elf.ts';

/** The first three hold what Node is linked with. */
const PACKAGES = ['libc6', 'libgcc-s1', 'libstdc++6', 'base-files', 'ca-certificates'];
/** Where Debian's loader looks, and so where its packages have libraries, in its order. */
const LIBRARY_FOLDERS = [`lib/${MULTIARCH}`, `usr/lib/${MULTIARCH}`];

type FileList = Record<string, FileContent>;

/**
 * What Node needs of a Debian system: the loader and shared libraries; the certificates of public authorities, for Trivy; names of users; and what
 * tells a scanner which packages of which release these are.
 */
export async function systemFiles({ root, onProgress }: PartInput): Promise<PartFiles> {
  const packages = await ensureNewestPackages('-image', PACKAGES, onProgress);
  const files: FileList = {
    ...(await libraryFiles(await readFile(nodeBinary(root)), packages)),
    ...(await packageRecords(packages, onProgress)),
    'etc/os-release': await readFile(join(packages, 'usr/lib/os-release')),
    'etc/debian_version': await readFile(join(packages, 'etc/debian_version')),
    'etc/ssl/certs/ca-certificates.crt': await certificates(packages),
    'etc/passwd': `root:x:0:0:root:/:/sbin/nologin\nnobody:x:${NOBODY}:${NOBODY}:nobody:/:/sbin/nologin\n`,
    'etc/group': `root:x:0:\nnobody:x:${NOBODY}:\n`,
    // Without it the loader's library asks the name server for localhost first.
    'etc/nsswitch.conf': 'hosts: files dns\n',
    'tmp/': { content: '', mode: 0o1777 },
  };
  return { files, createdBy: `Debian: ${PACKAGES.join(', ')}` };
}

/** The loader at the path that the program names, and whatever the program's libraries need in their turn. */
async function libraryFiles(program: Buffer, packages: string): Promise<FileList> {
  const { interpreter, libraries } = readElf(program);
  if (interpreter === null) return {};
  const loader = basename(interpreter);
  const files: FileList = { [interpreter.slice(1)]: { content: (await findLibrary(packages, loader)).content, mode: 0o755 } };
  const wanted = [...libraries];
  for (const name of wanted) {
    if (name === loader) continue;
    const { path, content } = await findLibrary(packages, name);
    files[path] = content;
    wanted.push(...readElf(content).libraries.filter((library) => !wanted.includes(library)));
  }
  return files;
}

async function findLibrary(packages: string, name: string): Promise<{ readonly path: string; readonly content: Buffer }> {
  for (const path of LIBRARY_FOLDERS.map((folder) => `${folder}/${name}`)) {
    try {
      return { path, content: await readFile(join(packages, path)) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  throw new LabError({ code: 'bad-image', message: `Node needs ${name}, which is in none of ${PACKAGES.join(', ')}.` });
}

/** As Debian's images without dpkg have them, and as scanners look for them: what each package says of itself, and its licence. */
async function packageRecords(packages: string, onProgress: PartInput['onProgress']): Promise<FileList> {
  const files: FileList = {};
  for (const name of PACKAGES) {
    files[`var/lib/dpkg/status.d/${name}`] = await readFile(join(packages, 'DEBIAN', name));
    files[`usr/share/doc/${name}/copyright`] = await readLicence(name, packages, onProgress);
  }
  return files;
}

/** A package's own, or where its folder is a link, that of the package of its source which the link names (`gcc-12-base`). */
async function readLicence(name: string, packages: string, onProgress: PartInput['onProgress']): Promise<Buffer> {
  const folder = join(packages, 'usr/share/doc', name);
  const shared = (await lstat(folder)).isSymbolicLink() ? basename(await readlink(folder)) : name;
  const holder = shared === name ? packages : await ensureNewestPackages(`-${shared}`, [shared], onProgress);
  return await readFile(join(holder, 'usr/share/doc', shared, 'copyright'));
}

/** All that Debian trusts, in one file, as `update-ca-certificates` makes it. */
async function certificates(packages: string): Promise<string> {
  const folder = join(packages, 'usr/share/ca-certificates/mozilla');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.crt')).sort();
  const all = await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')));
  return all.map((certificate) => `${certificate.trimEnd()}\n`).join('');
}
