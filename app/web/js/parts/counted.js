/** Numbers with their nouns. */

/** "1 fact", "2,000 facts"; `several` is for nouns that take more than an s. */
export function counted(number, noun, several = `${noun}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? noun : several}`;
}
