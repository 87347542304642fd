/** The module cannot be judged as it is; the message is for the learner. */
export class Refused extends Error {
  override readonly name = 'Refused';
}
