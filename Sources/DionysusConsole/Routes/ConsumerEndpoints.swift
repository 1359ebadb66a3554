import Dionysus

extension Endpoint {
    static let consumers: [Endpoint] = [
        page("/consumers", "The group, its consumers and partitions", isLive: true) { call in
            .page(.consumers(await ConsumerReport.read(call.core, try call.consumer()), call.frame, call))
        },
        read(
            "/consumers",
            "The group, its consumers and partitions, and topics as declared and as they are",
            answer: [
                ("group", "the group's name"), ("partitions", "position, end and lag of each"),
                ("consumers", "those that run"), ("topics", "with what differs from their declaration"),
            ]
        ) { call in .json(await ConsumerReport.read(call.core, try call.consumer()).json) },
    ]
}
