import Dionysus
import DionysusConsumer

extension Endpoint {
    private static let target: [Parameter] = [
        .text("topic", "the topic's full name", required: true),
        .integer("partition", "one partition; without it, all of them"),
    ]

    static let consumers: [Endpoint] = [
        page("/consumers", "The group, its consumers and partitions", isLive: true) { call in
            .page(.consumers(await ConsumerReport.read(call.core, try call.consumer()), call.frame, call))
        },
        read(
            "/consumers",
            "The group, its consumers and partitions, and topics as declared and as they are",
            answer: [
                ("group", "the group's name"), ("partitions", "position, end, lag and pause of each"),
                ("consumers", "those that run"), ("topics", "with what differs from their declaration"),
            ]
        ) { call in .json(await ConsumerReport.read(call.core, try call.consumer()).json) },
        form("/consumers/pause", "Pauses a topic or a partition") { call in
            call.page(of: try await call.start(try pause(call), in: call.core.replicaAudit))
        },
        change(
            "/consumers/pause",
            "Pauses a topic or a partition: nothing of it is applied until it is resumed",
            body: target
        ) { call in .json((try await call.start(try pause(call), in: call.core.replicaAudit)).json, .accepted) },
        form("/consumers/resume", "Resumes a topic or a partition") { call in
            call.page(of: try await call.start(try resume(call), in: call.core.replicaAudit))
        },
        change("/consumers/resume", "Resumes a topic or a partition", body: target) { call in
            .json((try await call.start(try resume(call), in: call.core.replicaAudit)).json, .accepted)
        },
        form("/consumers/move", "Moves a topic or a partition to another place in the log") { call in
            guard call.body.isOn("confirm") else { return .page(try question(call)) }
            return call.page(of: try await call.start(try move(call), in: call.core.replicaAudit))
        },
        change(
            "/consumers/move",
            "Moves a topic or a partition to another place in the log",
            body: target + [
                .text("to", "earliest, latest, an offset or a time", required: true),
                .boolean("forget_events", "whether the event log forgets events from there on, to handle them again"),
            ]
        ) { call in .json((try await call.start(try move(call), in: call.core.replicaAudit)).json, .accepted) },
    ]

    private static func pause(_ call: Call) throws -> ActionCenter.Plan {
        ConsumerActions.pause(try target(call), by: call.identity.name, try positions(call))
    }

    private static func resume(_ call: Call) throws -> ActionCenter.Plan {
        ConsumerActions.resume(try target(call), try positions(call))
    }

    private static func move(_ call: Call) throws -> ActionCenter.Plan {
        ConsumerActions.move(
            try target(call),
            to: try destination(call),
            forgetsEvents: call.body.isOn("forget_events"),
            try positions(call)
        )
    }

    private static func positions(_ call: Call) throws -> ConsumerPositions {
        ConsumerActions.positions(try call.consumer(), try call.broker())
    }

    private static func target(_ call: Call) throws -> ConsumerActions.Target {
        let partition = try call.body.integer("partition", in: 0...Int64(Int32.max))
        return .init(topic: try call.body.required("topic"), partition: partition.map { Int32($0) })
    }

    private static func destination(_ call: Call) throws -> StartPosition {
        guard case .place(let place)? = ReadingStart(try call.body.required("to")) else {
            throw DionysusError(
                .malformed,
                "to must be earliest, latest, an offset or a time such as 2026-01-31T12:00:00Z"
            )
        }
        return place
    }

    /// Says what a move means before it is made.
    private static func question(_ call: Call) throws -> Page {
        let (target, place) = (try target(call), try destination(call))
        let fields = ["topic", "partition", "to", "forget_events"]
            .compactMap { name in call.body[name].map { (name, $0) } }
        return .confirm(
            "Move \(target.name) to \(ReadingStart.place(place))?",
            "Messages from there on are delivered again, and those before it never, if they were not applied yet. A replay leaves the replica as it is but for what it lacks; reactions and handlers are called again. Failures that were recorded from there on are forgotten. A running consumer goes on there when the next message comes, a paused one when it is resumed.",
            "/consumers/move",
            "Move \(target.name)",
            fields,
            back: "/consumers",
            tab: .consumers,
            call.frame,
            call
        )
    }
}
