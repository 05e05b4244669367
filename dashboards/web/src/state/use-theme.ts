// Light or dark: the system's wish until the reader says otherwise.
import { useCallback, useEffect, useState } from 'react';
import type { Ground } from '../pure/scale';

const STORED = 'gridwarden.theme';
const system = matchMedia('(prefers-color-scheme: dark)');

function firstGround(): Ground {
  const stored = localStorage.getItem(STORED);
  if (stored === 'light' || stored === 'dark') return stored;
  return system.matches ? 'dark' : 'light';
}

export function useTheme(): [Ground, () => void] {
  const [ground, setGround] = useState<Ground>(firstGround);
  useEffect(() => {
    document.documentElement.dataset['theme'] = ground;
  }, [ground]);
  useEffect(() => {
    const follow = () => {
      if (localStorage.getItem(STORED) === null) setGround(system.matches ? 'dark' : 'light');
    };
    system.addEventListener('change', follow);
    return () => system.removeEventListener('change', follow);
  }, []);
  const flip = useCallback(() => {
    setGround((old) => {
      const next = old === 'dark' ? 'light' : 'dark';
      localStorage.setItem(STORED, next);
      return next;
    });
  }, []);
  return [ground, flip];
}
