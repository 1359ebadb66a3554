import Dionysus

extension RecordPayload {
    /// The payload with another number in its message; one that came along in another has none.
    func numbered(_ number: Int) -> RecordPayload {
        RecordPayload(
            shape: shape,
            values: values,
            sideloads: sideloads,
            createdAt: createdAt,
            updatedAt: updatedAt,
            timeUnit: timeUnit,
            origin: origin.map { Origin(number: number, payload: $0.payload) }
        )
    }

    /// The payload with other members under the names it has here.
    func replacing(data: JSON.Object) -> RecordPayload {
        let links = Set(shape.names[shape.attributeCount...])
        let attributes = data.members.filter { !links.contains($0.name) }
        let members = attributes + data.members.filter { links.contains($0.name) }
        let shape = RecordShape(members.map(\.name), attributeCount: attributes.count, like: shape)
        let values = members.map(\.value)
        func time(_ index: Int?) -> (time: Timestamp, unit: Int64)? {
            guard let index, case .string(let text) = values[index] else { return nil }
            return Timestamp.reading(text)
        }
        let (createdAt, updatedAt) = (time(shape.createdAt), time(shape.updatedAt))
        return RecordPayload(
            shape: shape,
            values: values,
            sideloads: sideloads,
            createdAt: createdAt?.time,
            updatedAt: updatedAt?.time,
            timeUnit: (updatedAt ?? createdAt)?.unit ?? 1,
            origin: origin
        )
    }
}
