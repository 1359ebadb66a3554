import Dionysus

extension Endpoint {
    static let records: [Endpoint] = [
        page("/record/{model}/{id}", "A record's whole way", isLive: true) { call in
            let report = await RecordReport.read(try call.part("model"), try call.part("id"), call.core)
            return .page(.record(report, call.frame, call))
        },
        read(
            "/record/{model}/{id}",
            "A record's whole way: both sides, what became of its changes, and the message it would have now",
            answer: [
                ("agreement", "same, different, only_source, only_replica, nowhere or unknown"),
                ("values", "attributes on both sides"), ("steps", "its way, the newest first"),
                ("message", "what would be published now"),
                ("verification", "the last comparison of this record alone, and what it has found"),
            ]
        ) { call in
            let report = await RecordReport.read(try call.part("model"), try call.part("id"), call.core)
            return .json(report.json(call.core.mask))
        },
        form("/record/{model}/{id}/publish", "Publishes a record again") { call in
            call.page(of: try await call.start(try publish(call), in: call.core.sourceAudit))
        },
        change(
            "/record/{model}/{id}/publish",
            "Publishes a record again, by a run of its own",
            body: [.text("topic", "the topic's full name", required: true)]
        ) { call in .json((try await call.start(try publish(call), in: call.core.sourceAudit)).json, .accepted) },
        form("/record/{model}/{id}/verify", "Compares replicas with a record") { call in
            call.page(of: try await call.start(try verify(call), in: call.core.sourceAudit))
        },
        change(
            "/record/{model}/{id}/verify",
            "Compares replicas with a record, by a verification run of its own",
            body: [.text("topic", "the topic's full name", required: true)]
        ) { call in .json((try await call.start(try verify(call), in: call.core.sourceAudit)).json, .accepted) },
        form("/record/{model}/{id}/tombstone", "Publishes a tombstone of a record", role: .admin) { call in
            guard call.body.isOn("confirm") else {
                let (model, id) = (try call.part("model"), try call.part("id"))
                let path = Link.record(model, id)
                return .page(
                    .confirm(
                        "Publish a tombstone of \(model) \(id)?",
                        "A compacted topic forgets the record. It is refused while the record is there, or has changes that wait.",
                        "\(path)/tombstone",
                        "Publish the tombstone",
                        [("topic", try call.body.required("topic"))],
                        back: path,
                        tab: nil,
                        call.frame,
                        call
                    )
                )
            }
            return call.page(of: try await call.start(try tombstone(call), in: call.core.sourceAudit))
        },
        change(
            "/record/{model}/{id}/tombstone",
            "Publishes tombstones of a record that is gone",
            role: .admin,
            body: [
                .text("topic", "the topic's full name", required: true),
                .boolean("force", "whether a record that is still there is forgotten too"),
            ]
        ) { call in .json((try await call.start(try tombstone(call), in: call.core.sourceAudit)).json, .accepted) },
    ]

    private static func publish(_ call: Call) throws -> ActionCenter.Plan {
        try SourceActions.publish(
            try call.part("model"),
            try call.part("id"),
            topic: try call.body.required("topic"),
            try call.producer()
        )
    }

    private static func verify(_ call: Call) throws -> ActionCenter.Plan {
        VerificationActions.verify(
            try call.part("model"),
            try call.part("id"),
            topic: try call.body.required("topic"),
            try call.producer(),
            try call.broker()
        )
    }

    private static func tombstone(_ call: Call) throws -> ActionCenter.Plan {
        SourceActions.tombstone(
            try call.part("model"),
            try call.part("id"),
            topic: try call.body.required("topic"),
            force: call.body.isOn("force"),
            try call.producer(),
            try call.broker()
        )
    }
}
