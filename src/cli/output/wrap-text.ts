/**
 * The text in lines of at most so many characters, broken at blanks; a word that is longer than a line is broken at its slashes, as an image has
 * them in its name, or where the line ends.
 */
export function wrapText(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ').flatMap((long) => piecesOf(long, columns))) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function piecesOf(word: string, columns: number): string[] {
  const pieces: string[] = [];
  let rest = Array.from(word);
  while (rest.length > columns) {
    const afterSlash = rest.lastIndexOf('/', columns - 1) + 1;
    const end = afterSlash > columns / 2 ? afterSlash : columns;
    pieces.push(rest.slice(0, end).join(''));
    rest = rest.slice(end);
  }
  return [...pieces, rest.join('')];
}
