import Dionysus

/// The columns of a replica that a batch reads and writes, each with a place in a row.
struct Layout: Sendable {
    let table: ReplicaTable
    private(set) var columns: [ReplicaColumn] = []
    private var slots: [String: Int] = [:]
    /// The foreign keys by which members of other records' relationships are found.
    private(set) var foreignKeys: Set<Int> = []

    init(_ table: ReplicaTable) {
        self.table = table
        for column in [table.id, table.version, table.createdAt, table.updatedAt, table.canceledAt] {
            if let column { _ = slot(of: column) }
        }
    }

    /// The place of a column, which is given one if it has none yet.
    mutating func slot(of column: ReplicaColumn) -> Int {
        if let slot = slots[column.name] { return slot }
        slots[column.name] = columns.count
        columns.append(column)
        return columns.count - 1
    }

    mutating func addForeignKey(_ column: ReplicaColumn) -> Int {
        let slot = slot(of: column)
        foreignKeys.insert(slot)
        return slot
    }

    /// The names of the columns; nil for the one with whole payloads, whose changes are not reported.
    var changeNames: [String?] { columns.map { $0 == table.data ? nil : $0.name } }

    var rowSlots: RowSlots {
        RowSlots(
            id: 0,
            version: table.version.flatMap { slots[$0.name] },
            createdAt: table.createdAt.flatMap { slots[$0.name] },
            updatedAt: table.updatedAt.flatMap { slots[$0.name] },
            canceledAt: table.canceledAt.flatMap { slots[$0.name] },
            count: columns.count,
            softDeletes: table.declaration.softDeletes,
            cancelsItself: table.declaration.cancelling != nil,
            canceledAtType: table.canceledAt?.type,
            forgetsVersion: table.version?.description.isNullable ?? false
        )
    }
}

/// How the payloads of one shape are written to one table.
struct ShapeBinding: Sendable {
    struct Cell: Sendable {
        /// The value's place in the payload; nil for a place that is set to null.
        let source: Int?
        let slot: Int
        let column: ReplicaColumn
    }

    let cells: [Cell]
    let dataSlot: Int?
    let slots: SlotSet

    init(_ shape: RecordShape, _ layout: inout Layout) {
        let table = layout.table
        var cells: [Int: Cell] = [:]
        func add(_ source: Int?, _ column: ReplicaColumn?, _ layout: inout Layout) {
            guard let column, column != table.id else { return }
            let slot = layout.slot(of: column)
            cells[slot] = Cell(source: source, slot: slot, column: column)
        }
        for index in 0..<shape.attributeCount {
            switch index {
            case shape.id: continue
            case shape.createdAt: add(index, table.createdAt, &layout)
            case shape.updatedAt: add(index, table.updatedAt, &layout)
            case shape.canceledAt: add(index, table.canceledAt, &layout)
            default: add(index, table.column(ofAttribute: shape.names[index]), &layout)
            }
        }
        let names = Set(shape.names)
        for index in shape.attributeCount..<shape.names.count {
            let name = shape.names[index]
            add(index, shape.isFlat ? table.column(ofMember: name) : table.column(ofLink: name), &layout)
            // An id that stands alone, or is missing, has no type that would go with it.
            if name.hasSuffix("_id"), !names.contains(name.dropLast(2) + "type") {
                add(nil, table.column(ofLink: name.dropLast(2) + "type"), &layout)
            }
        }
        dataSlot = table.data.map { layout.slot(of: $0) }
        self.cells = cells.values.sorted { $0.slot < $1.slot }
        var slots = SlotSet()
        for cell in self.cells { slots.insert(cell.slot) }
        if let dataSlot { slots.insert(dataSlot) }
        self.slots = slots
    }
}
