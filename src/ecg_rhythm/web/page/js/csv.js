// CSV as the command line writes and reads it (`printable.py`).

const FORMULA = /(?:^|(?<=[;\t\r\n]))(?='*[=+\-@\t\r])/g;  // what a spreadsheet would compute
const MARK = /(?:^|(?<=[;\t\r\n]))'(?='*[=+\-@\t\r])/g;
const TO_QUOTE = /[",;\t\r\n]|^\s|\s$/;

function cell(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "string") return String(value);
  const text = value.replace(FORMULA, "'");
  return TO_QUOTE.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export const csvLine = cells => cells.map(cell).join(",") + "\n";

/** The rows of CSV as lists of text. */
export function csvRows(text) {
  const rows = [];
  let row = [];
  for (const [, quoted, plain, end] of text.replace(/^\ufeff/, "").matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    row.push((quoted === undefined ? plain : quoted.replaceAll('""', '"')).replace(MARK, ""));
    if (end === ",") continue;
    if (row.length > 1 || row[0]) rows.push(row);
    row = [];
  }
  return rows;
}
