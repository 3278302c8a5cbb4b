// The page's entry. It imports nothing but the error box up front, so that even a library that cannot be
// loaded leads to a message on the page.
import { showError } from './page/error-box.ts';

addEventListener('error', (event) => showError(event.error ?? event.message));
addEventListener('unhandledrejection', (event) => showError(event.reason));

import('./app.ts').then(({ start }) => start()).catch(showError);
