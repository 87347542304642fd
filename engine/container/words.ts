/** The words that containers without a name are named by. */

export const ADJECTIVES = (
  'able agile amber ample apt bold brave breezy bright brisk calm candid careful cheerful clever cosy crisp curious ' +
  'daring dapper deft eager earnest easy fair fearless fleet fond frank free fresh gentle glad golden graceful grand ' +
  'happy hardy hearty honest hopeful humble jolly jovial keen kind lively loyal lucid lucky mellow merry mild modest ' +
  'neat nimble noble patient plucky polite proud quick quiet ready rosy serene sharp shiny silent sincere sleek smooth ' +
  'snug sober spry steady sturdy sunny swift tidy tranquil trusty upbeat vivid warm wise witty zesty'
).split(' ');

/** Of people who went to sea, charted it, or built and understood machines. */
export const SURNAMES = (
  'amundsen archimedes babbage baret bartik bell berners bowditch cabot cerf chappe cook curie dijkstra drake earhart ' +
  'engelbart erikson euler faraday fermi feynman franklin galileo gama gauss goodall hamilton harrison herschel hollerith ' +
  'hopper hypatia ibnbattuta jansz johnson kay kepler kernighan kilby knuth lamarr lamport liskov lovelace magellan maury ' +
  'maxwell mccarthy meitner mercator mirzakhani nansen newton nightingale noether pascal perlman pytheas ritchie rubin ' +
  'sammet shackleton shannon slocum tasman tesla thompson torvalds turing vespucci volta wirth wu yi zhenghe zuse'
).split(' ');
