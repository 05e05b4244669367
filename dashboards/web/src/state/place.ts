// Which page is shown, as the address says it. Reading and writing an address is pure; the hook follows the browser's history.
import { useCallback, useEffect, useState } from 'react';

export type PageName = 'city' | 'rules';

export interface Place {
  page: PageName;
  /** the rule that is open, on its page */
  rule: string | null;
}

/** What every page is given to move about with. */
export type Go = (place: Place) => void;

export function placeOf(search: string): Place {
  const query = new URLSearchParams(search);
  return query.get('page') === 'rules' ? { page: 'rules', rule: query.get('rule') } : { page: 'city', rule: null };
}

/** The address of a place; what else the address says stays. */
export function searchOf(search: string, place: Place): string {
  const query = new URLSearchParams(search);
  query.delete('page');
  query.delete('rule');
  if (place.page === 'rules') query.set('page', 'rules');
  if (place.page === 'rules' && place.rule !== null) query.set('rule', place.rule);
  const text = query.toString();
  return text === '' ? '' : `?${text}`;
}

export function usePlace(): [Place, Go] {
  const [place, setPlace] = useState<Place>(() => placeOf(location.search));
  useEffect(() => {
    const follow = () => setPlace(placeOf(location.search));
    addEventListener('popstate', follow);
    return () => removeEventListener('popstate', follow);
  }, []);
  const go = useCallback((next: Place) => {
    history.pushState(null, '', location.pathname + searchOf(location.search, next));
    setPlace(next);
  }, []);
  return [place, go];
}
