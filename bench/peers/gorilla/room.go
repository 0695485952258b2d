package main

import (
	"io"
	"log"
	"sync"

	"github.com/gorilla/websocket"
)

// A message is what a client's writer can write.
type message interface {
	writeTo(*websocket.Conn) error
}

// Bytes that the library frames anew for every client.
type unframed []byte

func (m unframed) writeTo(connection *websocket.Conn) error {
	return connection.WriteMessage(websocket.BinaryMessage, m)
}

// A frame that all clients share.
type framed struct{ *websocket.PreparedMessage }

func (m framed) writeTo(connection *websocket.Conn) error {
	return connection.WritePreparedMessage(m.PreparedMessage)
}

// A naive client's queue; a full one drops what comes. An optimised one's holds the newest only.
const naiveQueue = 16

type member struct {
	queue chan message
}

type room struct {
	mutex   sync.Mutex
	world   *world
	members map[*member]struct{}
}

func newRoom(world *world) *room {
	return &room{world: world, members: map[*member]struct{}{}}
}

// serve is a client's life, on its own goroutine: it writes here and reads on another.
func (r *room) serve(connection *websocket.Conn) {
	defer connection.Close()
	joined := &member{queue: make(chan message, naiveQueue)}
	r.mutex.Lock()
	welcome := r.world.welcome()
	r.mutex.Unlock()
	if unframed(welcome).writeTo(connection) != nil {
		return
	}
	r.mutex.Lock()
	r.members[joined] = struct{}{}
	r.mutex.Unlock()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		for {
			_, reader, err := connection.NextReader()
			if err != nil {
				return
			}
			if _, err = io.Copy(io.Discard, reader); err != nil {
				return
			}
		}
	}()
	defer func() {
		r.mutex.Lock()
		delete(r.members, joined)
		r.mutex.Unlock()
	}()
	for {
		select {
		case next := <-joined.queue:
			if next.writeTo(connection) != nil {
				return
			}
		case <-gone:
			return
		}
	}
}

// broadcastNaively builds and marshals a snapshot for every client.
func (r *room) broadcastNaively() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.world.step()
	for each := range r.members {
		select {
		case each.queue <- unframed(r.world.snapshot(nil)):
		default:
		}
	}
}

// broadcastOnce marshals and frames a snapshot once and gives every client the newest.
func (r *room) broadcastOnce() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.world.step()
	r.world.buffer = r.world.snapshot(r.world.buffer[:0])
	prepared, err := websocket.NewPreparedMessage(websocket.BinaryMessage, r.world.buffer)
	if err != nil {
		log.Fatal(err)
	}
	newest := message(framed{prepared})
	for each := range r.members {
		for len(each.queue) > 0 {
			select {
			case <-each.queue:
			default:
			}
		}
		each.queue <- newest // this loop alone adds to the queue, so there is room
	}
}
