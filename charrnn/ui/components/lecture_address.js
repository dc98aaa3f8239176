// The address of a lecture's stage.

/** The scene, and its beat from 1 or "summary". */
export const PLACE = ["scene", "beat"];

/** Return the parameters of the address. */
export const parameters = () => [...new URLSearchParams(location.search)];

/** Check if a parameter of the address is no setting of the page. */
export const isOfLecture = ([name]) => ["lecture", "hide", ...PLACE].includes(name) || name.startsWith("__");

/** Check if the address opens the stage: a scene, or the list of scenes without a setting of the page. */
export function opensStage() {
  const has = (name) => parameters().some((each) => each[0] === name);
  return has("lecture") && (has("scene") || parameters().every(isOfLecture));
}
