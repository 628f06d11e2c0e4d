/**
 * Rooms of sockets are named like topics of the bus: `<app>/c/<conversation>` and `<app>/p/<user>` (with `/own` for the user itself) hear what
 * is emitted; `<app>/u/<user>` and a session's id only name whom to leave out. No id contains a slash.
 */
export const isConversationRoom = (room: string): boolean => room.includes('/c/');

/** Whether anything is emitted to the room. Nothing is ever emitted to several at once, for which '' stands. */
export const isRelayedRoom = (room: string): boolean => isConversationRoom(room) || room.includes('/p/');
