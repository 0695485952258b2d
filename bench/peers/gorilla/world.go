package main

import (
	"log"
	"math/rand"
	"time"

	"google.golang.org/protobuf/proto"

	"ringcast/arena"
	"ringcast/envelope"
)

const (
	objects = 50
	side    = 1000
)

type object struct {
	x, y, vx, vy float32
}

// A world of moving objects; snapshot builds the messages from them as a simulation would.
type world struct {
	rateHz     int
	frameBytes int
	tick       uint64
	objects    [objects]object
	buffer     []byte
}

func newWorld(rateHz, frameBytes int) *world {
	w := &world{rateHz: rateHz, frameBytes: frameBytes}
	random := rand.New(rand.NewSource(1))
	within := func(bound float32) float32 { return random.Float32() * bound }
	for i := range w.objects {
		w.objects[i] = object{within(side), within(side), within(100) - 50, within(100) - 50}
	}
	return w
}

func (w *world) step() {
	w.tick++
	for i := range w.objects {
		each := &w.objects[i]
		if each.x < 0 || each.x > side {
			each.vx = -each.vx
		}
		if each.y < 0 || each.y > side {
			each.vy = -each.vy
		}
		each.x += each.vx / float32(w.rateHz)
		each.y += each.vy / float32(w.rateHz)
	}
}

func marshal(onto []byte, message proto.Message) []byte {
	out, err := proto.MarshalOptions{}.MarshalAppend(onto, message)
	if err != nil {
		log.Fatal(err)
	}
	return out
}

// snapshot appends an envelope with the present state.
func (w *world) snapshot(onto []byte) []byte {
	state := &arena.State{Width: side, Height: side}
	for i := range w.objects {
		each := &w.objects[i]
		state.Objects = append(state.Objects, &arena.Object{
			Id: uint32(i + 1), X: each.x, Y: each.y,
			VxTenths: int32(each.vx * 10), VyTenths: int32(each.vy * 10),
			State: uint32(arena.ObjectKind_OBJECT_KIND_BOT) | 80<<3,
		})
	}
	snapshot := &envelope.Snapshot{
		Tick:             w.tick,
		ServerTimeUnixNs: uint64(time.Now().UnixNano()),
		Payload:          marshal(nil, state),
	}
	message := &envelope.ServerEnvelope{Message: &envelope.ServerEnvelope_Snapshot{Snapshot: snapshot}}
	if w.frameBytes != 0 {
		rest := 4 + proto.Size(message) - len(snapshot.Payload) // 4: the WebSocket header
		snapshot.Payload = resize(snapshot.Payload, w.frameBytes-rest)
	}
	return marshal(onto, message)
}

// resize cuts or pads with zeros.
func resize(bytes []byte, size int) []byte {
	if size <= len(bytes) {
		if size < 0 {
			size = 0
		}
		return bytes[:size]
	}
	return append(bytes, make([]byte, size-len(bytes))...)
}

func (w *world) welcome() []byte {
	return marshal(nil, &envelope.ServerEnvelope{Message: &envelope.ServerEnvelope_Welcome{
		Welcome: &envelope.Welcome{
			Room: "arena", MemberId: 1, RateHz: uint32(w.rateHz), Tick: w.tick,
			ServerTimeUnixNs: uint64(time.Now().UnixNano()), AcknowledgeEveryTicks: 6,
			ServerVersion: "gorilla",
		}}})
}
