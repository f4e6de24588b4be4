/** Titles; `{s}` is a subject, `{S}` the same with a capital, `{p}` a place, `{n}` a small number. */
export const videoTitles: readonly string[] = [
  '{S}, from the beginning',
  'What {s} taught us',
  'A week with {s}',
  'The quiet case for {s}',
  'Notes on {s}, part {n}',
  'In {p}: {s}',
  'Before dawn, {s}',
  '{S} without shortcuts',
  '{n} mistakes with {s}',
  'Letters from {p}: {s}',
  '{S} in bad weather',
  'Who looks after {s}?',
  'One take: {s} in {p}',
  '{S} and other old friends',
  'Return to {p}: {s}',
  'Against hurry: {s}',
]

/** As {@link videoTitles}, for texts. */
export const articleTitles: readonly string[] = [
  'On {s}',
  'A short defence of {s}',
  '{S}, reconsidered',
  'The people of {p} and {s}',
  'What we got wrong about {s}',
  '{n} letters about {s}',
  'A field guide to {s}',
  '{S} in {p}: a correspondence',
  'How we film {s}',
  'Errata: {s}',
]

/** First halves of comments. */
export const commentOpenings: readonly string[] = [
  'I came for {s} and stayed for the pauses.',
  'My grandfather would have argued with every minute of this.',
  'Watched it twice, the second time without sound.',
  'Is there a longer cut somewhere?',
  'Tack för den här filmen!',
  'The part in the middle is the best explanation that I have seen.',
  'Ho provato anch’io, con risultati discutibili.',
  '最後の一言が好きです。',
  'We showed this in class, and nobody looked at the clock.',
  'I disagree about {s}, but kindly.',
  'Dziękuję, tego właśnie szukałam.',
  'Somebody finally took {s} seriously.',
  'شكرًا جزيلًا على هذا العمل الجميل.',
  'Small correction: it was a Tuesday.',
  'You can hear the rain from about halfway. Lovely.',
  'Please never add music to these.',
  'Ce passage m’a donné envie de recommencer.',
  'My cat has opinions about {s} as well 🐈',
  'धन्यवाद, बहुत सुन्दर।',
  'I have been doing it wrong for twenty years, it seems.',
  'Which lens is that?',
  'The hands say more than the narration.',
]

/** Second halves of comments; the empty ones leave the first half alone. */
export const commentEndings: readonly string[] = [
  '',
  '',
  '',
  'More of this, please.',
  'I took notes, and then I lost them.',
  'Greetings from {p}.',
  'It is the unhurried voice that does it.',
  'Sent to my sister, who will pretend that she found it first.',
  'Next week I shall try {s} myself.',
  'Thank you for leaving the mistakes in.',
  '☕️ and this: a good morning.',
  'I should like to hear more about the people behind the camera.',
  'We did something like it in {p}, with worse weather.',
  'Chapeau!',
]

/** Answers to other comments. */
export const replies: readonly string[] = [
  'Same here.',
  'That made me laugh, thank you.',
  'Have you tried it in winter?',
  'It was a Wednesday, I believe.',
  'Seconded, wholeheartedly.',
  'I would not be so sure, but I like the thought.',
  'You are not alone 🙂',
  'Exactement.',
  'まったく同感です。',
  'The description has a link to the longer version.',
  'Come and visit, the kettle is on.',
  'This deserves a film of its own.',
]

/** What people say about themselves. */
export const bios: readonly string[] = [
  'Mostly tea, some carpentry.',
  'Reads the manual first.',
  'Retired from something loud.',
  'Here for the slow parts.',
  'Collects maps of places that moved.',
  'Amateur, in the old sense.',
  'Librarian by day, also by night.',
  'Writes long letters and short emails.',
  'Learning to wait for the bread.',
  'Has been to the end of the line.',
]

/** Sentences for texts of any field; `{s}` and `{p}` as in titles. */
export const articleSentences: readonly string[] = [
  'I first heard about {s} from somebody who was trying to give it up.',
  'There is a room in {p} where all of this is taken for granted.',
  'The usual advice is not wrong so much as early.',
  'We wrote to everyone we knew in {p}, and nine people answered.',
  'What follows is not a method; it is a list of things that we noticed.',
  'If you remember one thing about {s}, let it be how ordinary it looks.',
  'The notebooks disagree, and we have decided to print both.',
  'It took three visits to {p} to understand the first one.',
  'Nobody was in charge, which is a way of saying that everybody was.',
  'Later we found the same idea in a letter from 1902, better put.',
  'The numbers are in the appendix; the feeling is not.',
  'One reader asked whether {s} could be taught at all.',
  'We are less sure now, and happier.',
  'That should have been the end of it.',
]
