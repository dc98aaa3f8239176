// The title of the text: which networks wrote it, and which one reads it now.

const named = ({ title, step }) => `${title}, step ${step.toLocaleString("en")}`;

/** Name the networks in the order in which they wrote; without changes of the settings. */
function namesOf(writers) {
  const names = writers.map(([, writer]) => named(writer));
  return names.filter((name, i) => name !== names[i - 1]);
}

/** Return the title of a text of this length. */
export function describeOrigin(record, length) {
  if (!length) return "No text yet";
  const reader = named(record.model);
  const names = namesOf(record.writers.filter(([start]) => start < length));
  if (!names.length) return `${record.isRead ? "Text you gave" : "Prompt"}, read by ${reader}`;
  const writers = names.length > 2 ? `${names[0]}, then ${names.length - 1} others` : names.join(", then ");
  const last = record.writers.at(-1)[1];
  const isReadByAnother = last.sha256 !== record.model.sha256 || last.step !== record.model.step;
  return `${record.isRead ? "Text you gave, continued" : "Written"} by ${writers}${isReadByAnother ? `; now read by ${reader}` : ""}`;
}
