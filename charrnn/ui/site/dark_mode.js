// Follows the dark mode of the system. Runs before the first paint.
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.body.classList.toggle("dark", dark.matches);
  follow();
  dark.addEventListener("change", follow);
}
