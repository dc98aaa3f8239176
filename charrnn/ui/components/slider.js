// Shows the value of a slider.

/** Show the value beside the slider and fill its track up to it; `label` describes the value. */
export function showSlider(input, label) {
  input.style.setProperty("--share", (input.value - input.min) / (input.max - input.min || 1)); // theme.css fills the track
  input.setAttribute("aria-valuetext", label);
  input.closest(".cr-slider").querySelector("output").textContent = label;
}
