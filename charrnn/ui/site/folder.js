// Starts the page that is a folder of files. It follows the modules in page.js.
{
  const { edition } = charrnnModule("components/edition.js");
  edition.startWorker = () => new Worker(edition.fileUrl("worker.js"));
  charrnnModule("site/main.js");
}
