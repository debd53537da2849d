// Virtual methods: called through the tables of the classes that reachable code makes.
#include "free.h"

struct Shape {
    virtual void draw();
};
struct Circle : Shape {
    void draw() override;
};
struct Square : Shape {
    void draw() override;
};
struct Unused : Shape {
    void draw() override;
};

KEEP void Shape::draw() {
    CALL0(SYS_getpid);
}
KEEP void Circle::draw() {
    CALL0(SYS_getppid);
}
KEEP void Square::draw() {
    CALL0(SYS_gettid);
}
// Its table is there; nothing names it.
KEEP void Unused::draw() {
    CALL0(SYS_getuid);
}

KEEP static void draw(Shape *volatile shape) {
    shape->draw();
}

int run(int argc, char **) {
    Circle circle;
    Square square;
    Shape shape;

    draw(argc == 1 ? (Shape *)&circle : argc == 2 ? (Shape *)&square : &shape);
    return 0;
}
