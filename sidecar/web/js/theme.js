// Light or dark, before anything is drawn. A classic script: it runs while the page is still being read.

(() => {
  const KEY = 'tollgate.theme';
  const system = matchMedia('(prefers-color-scheme: dark)');

  const chosen = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };

  const apply = () => {
    const theme = chosen() ?? (system.matches ? 'dark' : 'light');
    document.documentElement.dataset.theme = theme;
    document.dispatchEvent(new CustomEvent('theme', { detail: theme }));
  };

  globalThis.tollgateTheme = {
    get current() {
      return document.documentElement.dataset.theme;
    },
    /** Chooses the other one; back to the system's own where that is the same. */
    toggle() {
      const next = this.current === 'dark' ? 'light' : 'dark';
      const isSystems = (next === 'dark') === system.matches;
      try {
        if (isSystems) localStorage.removeItem(KEY);
        else localStorage.setItem(KEY, next);
      } catch {
        // Without storage the choice lasts as long as the page.
        document.documentElement.dataset.theme = next;
        document.dispatchEvent(new CustomEvent('theme', { detail: next }));
        return;
      }
      apply();
    },
  };

  system.addEventListener('change', apply);
  apply();
})();
