// Our answer to every recorded Keras call, keyed by the call as it was recorded (its set-up first).
// The vocabulary is in errors-vocabulary.mjs, the calls are in the four tables that are joined here.
import { constructorAnswers } from './errors-constructor.mjs';
import { scheduleAnswers } from './errors-schedule.mjs';
import { stateAnswers } from './errors-state.mjs';
import { stepAnswers } from './errors-step.mjs';

export const answers = [...constructorAnswers, ...scheduleAnswers, ...stepAnswers, ...stateAnswers];
