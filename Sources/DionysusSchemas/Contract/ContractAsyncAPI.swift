package import Dionysus

extension Contract {
    /// The contract as an AsyncAPI 3.0 document.
    /// - Parameters:
    ///   - title: The application's name.
    ///   - version: The application's version.
    package func asyncAPI(title: String, version: String) -> JSON {
        let channels = topics.map { topic in
            JSON.Object.Member(
                topic.name,
                .object([
                    "address": .string(topic.name),
                    "messages": .object(
                        JSON.Object([
                            JSON.Object.Member(
                                topic.name,
                                .object(["$ref": .string("#/components/messages/\(topic.name.pointer)")])
                            )
                        ])
                    ),
                    "bindings": .object(["kafka": .object(["topic": .string(topic.name), "bindingVersion": "0.5.0"])]),
                ])
            )
        }
        let operations = topics.map { topic in
            JSON.Object.Member(
                "publish_\(topic.name)",
                .object([
                    "action": "send",
                    "channel": .object(["$ref": .string("#/channels/\(topic.name.pointer)")]),
                    "messages": [
                        .object(["$ref": .string("#/channels/\(topic.name.pointer)/messages/\(topic.name.pointer)")])
                    ],
                ])
            )
        }
        let messages = topics.map { JSON.Object.Member($0.name, .object($0.asyncAPIMessage)) }
        return .object([
            "asyncapi": "3.0.0",
            "info": .object(["title": .string(title), "version": .string(version)]),
            "defaultContentType": "application/json",
            "channels": .object(JSON.Object(channels)),
            "operations": .object(JSON.Object(operations)),
            "components": .object(["messages": .object(JSON.Object(messages))]),
        ])
    }
}

extension Contract.Topic {
    fileprivate var asyncAPIMessage: JSON.Object {
        let keys = models.map { "\($0.name):\($0.key.name.uppercased())" }
        return [
            "name": .string(name),
            "contentType": "application/json",
            "headers": .object([
                "type": "object",
                "properties": .object([
                    "dionysus-event-id": .object([
                        "type": "string", "description": "Unique for each published event; a retry repeats it.",
                    ]),
                    "dionysus-version": .object([
                        "type": "string", "description": "How recent the snapshot is: a higher one is newer.",
                    ]),
                    "traceparent": .object(["type": "string", "description": "The W3C trace context."]),
                ]),
            ]),
            // What the schema is made of means the same in AsyncAPI's own format as in JSON Schema 2020-12.
            "payload": .object(messageSchema),
            "bindings": .object([
                "kafka": .object([
                    "key": .object(["type": "string", "description": .string(keys.joined(separator: " or "))]),
                    "bindingVersion": "0.5.0",
                ])
            ]),
        ]
    }
}

extension String {
    /// The text as a part of a JSON pointer.
    fileprivate var pointer: String {
        replacing("~", with: "~0").replacing("/", with: "~1")
    }
}
