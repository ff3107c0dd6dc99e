/** JSON whose whole numbers keep all their digits. */

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

/** Parse JSON; a whole number that a double cannot hold exactly becomes the text of its digits. */
export function parseJson<Value>(text: string): Value {
  return JSON.parse(/\d{16}/.test(text) ? text.replace(TOKEN, quoteInexact) : text) as Value;
}

function quoteInexact(token: string): string {
  return /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token)) ? `"${token}"` : token;
}
