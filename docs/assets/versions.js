// The list of versions beside the title. The built site holds versions.js, a script and not a
// request, so that the list also works where the pages are opened from a folder.
(function () {
  const script = document.currentScript.src;
  const root = script.slice(0, script.lastIndexOf("assets/"));
  const loader = document.createElement("script");
  loader.src = root + "versions.js";
  loader.onload = function () {
    const topic = document.querySelector(".md-header__topic");
    const versions = window.aimassVersions;
    if (!topic || !versions) return;
    const page = location.href.split(/[?#]/)[0].slice(root.length) || "index.html";
    const entry = (version) => {
      const at = version.pages.includes(page) ? page : "index.html";
      const link = document.createElement("a");
      link.className = "md-version__link";
      link.href = root + version.folder + at;
      link.textContent = version.name;
      const item = document.createElement("li");
      item.className = "md-version__item";
      item.appendChild(link);
      return item;
    };
    const box = document.createElement("div");
    const current = document.createElement("button");
    const list = document.createElement("ul");
    box.className = "md-version";
    current.className = "md-version__current";
    current.setAttribute("aria-label", "Select version");
    current.textContent = versions.find((version) => version.folder === "").name;
    list.className = "md-version__list";
    versions.forEach((version) => list.appendChild(entry(version)));
    box.append(current, list);
    topic.appendChild(box);
  };
  document.head.appendChild(loader);
})();
